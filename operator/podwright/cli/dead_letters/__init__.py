"""`podwright dlq`: jobs that used up their retries and are kept until somebody decides what becomes of them."""
