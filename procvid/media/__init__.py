"""Videos, images, captions and files, without a word about recipes."""
