"""What all attempts share, whatever run they belong to: how one ended, what that means and whom it is charged to."""
