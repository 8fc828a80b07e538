"""Programs that build, try, release and check what runs in a cluster; none of them is in an image."""
