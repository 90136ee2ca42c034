"""Find the times in lines and headers, and convert them to UTC. Pure, except for the local time zone."""
