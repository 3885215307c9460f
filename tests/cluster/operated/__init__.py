"""Tests in which an operator acts. They have a cluster of their own: an operator acts on all jobs that it finds."""
