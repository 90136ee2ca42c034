"""One file for each row, or few that belong together: what is measured, against whom, and what is promised."""
