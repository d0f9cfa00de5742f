"""A run on disk: `run.json`, `plan.json`, `events.jsonl`, a folder per step, the video.

    run.json plan.json events.jsonl video.mp4 captions.vtt memory/
    steps/01/{clip.mp4, conditioning.json, references/1.png ..., crops/}

A step folder appears whole or not at all, so a killed process loses at most the step in work. No
file but `events.jsonl` holds a time of day: the same request gives the same bytes.
"""
