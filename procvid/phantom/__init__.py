"""Phantom-Wan, a subject-to-video model, as a diffusers pipeline for tensors and images.

Start with `procvid.phantom.pipeline_phantom_wan.PhantomWanPipeline`. Nothing is imported here, so that
`import procvid` stays light.
"""
