/* What the rating surface says: its states, what comes next, and the names of votes. */

export const STATES = {
  preparing: ["The answers are still being written", "The first comparison appears here by itself."],
  closed: ["This round is closed", "Thank you! It needs no more votes."],
  failed: ["This round has no answers", "Whoever started it can see why, and start another."],
  gone: ["Nothing to rate here", "Ask for a new link."],
};
export const NEXT = {
  train_pairs: "Your choices become pairs of a better and a worse answer, and the model is trained " +
    "on them. A blind test then shows whether that helped.",
  blind_eval: "The result stays hidden until the round is closed, so that it can sway nobody. " +
    "Whoever started the round closes it and shares the verdict.",
  aa_control: "The result stays hidden until the round is closed.",
  calibration: "That was the practice. You are ready for a real round.",
};
// what a button says of two answers, and of more
export const LABELS = { tie: ["Tie", "All tie"], both_bad: ["Both bad", "All bad"] };
export const SAID = {
  left: "Answer 1 is better", right: "Answer 2 is better", tie: "a tie", both_bad: "both bad",
  good: "good", bad: "bad",
};

export const TAKEN = ["Nothing is left for you right now",
  ["Others are rating the last comparisons. If they skip one, you can rate it."]];
export const ALL_RATED = ["All comparisons are rated", ["Thank you! This round needs no more votes."]];
