"""The kinds of `podwright.dev` as pydantic models, and the CustomResourceDefinitions that are generated from them.

The models are the one source of the API: fields, descriptions, bounds, defaults and rules. The operator doesn't read
objects through them (`kube.decode` does that, much faster); they serve the generator and tools that write manifests.
"""
