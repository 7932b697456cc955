"""sandbox: the project's own provider, with every capability. Its protocol is described in providers.md, section 11."""
