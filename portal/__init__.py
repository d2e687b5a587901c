"""The portal: the web application and the REST API."""
