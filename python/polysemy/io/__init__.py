"""Files: checkpoints, their JSON configuration, and where they are found."""
