"""The web app: pages over engine.services."""

import os

# Gradio reads this once, when it is first imported: no version check, no telemetry.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
