"""LoRA fine-tuning of Phantom-Wan, run by `procvid train lora` (docs/lora.md)."""
