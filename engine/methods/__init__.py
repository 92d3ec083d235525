"""Methods: the bodies of jobs that train: SFT, DPO, KTO, TPO, reward models, RLOO, GRPO."""
