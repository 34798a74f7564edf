"""What deploy.py puts on the Hub: the files of a Space, what it is set to, the token it publishes with."""
