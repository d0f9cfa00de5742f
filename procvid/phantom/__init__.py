"""Phantom-Wan, a subject-to-video model, as a diffusers pipeline: tensors and images, no recipes.

Nothing is imported here, so that `import procvid` stays light; start with
`procvid.phantom.pipeline_phantom_wan.PhantomWanPipeline`.
"""
