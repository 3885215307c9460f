"""The policies of one BatchJob: one file each, pure functions over `core.model`, put together by `decide`."""
