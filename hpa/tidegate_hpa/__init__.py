"""The HorizontalPodAutoscaler: its arithmetic, a simulator that predicts it, a planner that sets it."""
