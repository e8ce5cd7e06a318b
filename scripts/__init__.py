"""Set-up, and what is generated into the manual."""
