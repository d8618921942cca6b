/** What people ask and send in the walks, and what the model makes of it. */
export const rules = "# Returns\n\nWhatever is not used goes back within 30 days, at our cost.\n";

export const complaint = {
  title: "Your complaint",
  fields: [
    { id: "order", label: "Order" },
    { id: "what", label: "What happened?" },
  ],
};

export const quiz = {
  title: "Sums",
  questions: [
    { question_text: "2 + 2?", question_type: "MULTIPLE_CHOICE", choices: ["3", "4"] },
    { question_text: "Why?", question_type: "FREE_RESPONSE" },
  ],
};

export const sales = "month,amount,note\nJan,3,a\nFeb,4,\nJan,3,a\n";
export const sums =
  "SELECT month, sum(amount) AS total FROM sales GROUP BY month ORDER BY total DESC";
export const clean = "SELECT DISTINCT * FROM sales ORDER BY ALL";

export const chart = {
  title: "Sales",
  alt_text: "January sold most.",
  sql: sums,
  spec: {
    mark: "bar",
    encoding: {
      x: { field: "month", type: "ordinal" },
      y: { field: "total", type: "quantitative", title: "Sales (EUR)" },
    },
  },
};
