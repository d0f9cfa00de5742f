"""The composition root: settings become models. Only this package imports `procvid.models`."""
