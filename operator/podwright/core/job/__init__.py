"""The policies of one BatchJob: one file each, pure functions over `core.view`, put together by `decide`."""
