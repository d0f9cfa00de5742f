"""What curation is worth, measured on toy-kitchen video with noisy subtitles, whose truth is known."""
