"""Make a video: the story, its steps and the run folder on disk.

    run.json plan.json events.jsonl video.mp4 captions.vtt
    changes/02/{changes.json, 1.png ...}
    steps/01/{clip.mp4, conditioning.json, references/1.png ..., crops/}
    takes/01/2/{the same, take.json}

A step folder appears whole or not at all, so a killed process loses at most one step. Only
`events.jsonl` holds the time of day: the same request gives the same bytes. A step that was redone
has its takes beside it, old and new.
"""
