"""Rewards: rules that score an answer, for RLOO and GRPO."""
