"""Can a LoRA teach what the base model never saw?"""
