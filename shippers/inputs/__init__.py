"""Where lines are born."""
