"""What must hold before a job may occupy capacity. One file per gate; asked in the order of `gate`."""
