"""LoRA fine-tuning of Phantom-Wan: `procvid train lora` (docs/lora.md)."""
