"""Every decoder of what a peer, a file or a contract sends, fed with damaged valid inputs."""
