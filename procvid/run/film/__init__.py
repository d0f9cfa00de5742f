"""A film to take away from a finished run: narrated, captioned, vertical, GIF, WebP or a card."""
