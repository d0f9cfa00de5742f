"""Training: the tiny models from nothing (`pretrain_tiny`), each stage resumable and seeded."""
