"""How fast is search: in process, as a service, and as the plain server that the field uses."""
