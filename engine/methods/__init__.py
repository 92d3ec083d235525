"""Methods: the bodies of jobs that train: SFT, DPO, KTO, reward models, RLOO, GRPO."""
