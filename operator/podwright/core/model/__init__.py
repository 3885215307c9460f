"""What policies see: frozen pictures of jobs, pods and what status records of them. It knows nothing of policies."""
