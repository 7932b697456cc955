"""The sandbox: the project's own provider, with every capability."""
