//! What looks at a whole row, in f64.

fn wide(x: &[f32]) -> Vec<f64> {
    x.iter().map(|&x| f64::from(x)).collect()
}

fn mean(x: &[f64]) -> f64 {
    x.iter().sum::<f64>() / x.len() as f64
}

/// One row.
pub fn layer_norm(x: &[f32], weight: &[f32], bias: Option<&[f32]>, eps: f64) -> Vec<f64> {
    let x = wide(x);
    let centre = mean(&x);
    let variance = mean(&x.iter().map(|x| (x - centre).powi(2)).collect::<Vec<_>>());
    let bias = |index: usize| bias.map_or(0.0, |bias| f64::from(bias[index]));
    let value = |(index, x): (usize, &f64)| {
        (x - centre) / (variance + eps).sqrt() * f64::from(weight[index]) + bias(index)
    };
    x.iter().enumerate().map(value).collect()
}

/// One row.
pub fn rms_norm(x: &[f32], weight: &[f32], eps: f64) -> Vec<f64> {
    let x = wide(x);
    let squares = mean(&x.iter().map(|x| x * x).collect::<Vec<_>>());
    x.iter().zip(weight).map(|(x, &weight)| x / (squares + eps).sqrt() * f64::from(weight)).collect()
}

/// One row.
pub fn softmax(x: &[f32]) -> Vec<f64> {
    log_softmax(x).into_iter().map(f64::exp).collect()
}

/// One row.
pub fn log_softmax(x: &[f32]) -> Vec<f64> {
    let x = wide(x);
    let most = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let log = x.iter().map(|x| (x - most).exp()).sum::<f64>().ln();
    x.iter().map(|x| x - most - log).collect()
}

/// One token.
pub fn cross_entropy(logits: &[f32], target: usize) -> f64 {
    -log_softmax(logits)[target]
}

/// One token.
pub fn divergence(baseline: &[f32], logits: &[f32]) -> f64 {
    let (p, q) = (log_softmax(baseline), log_softmax(logits));
    p.iter().zip(&q).map(|(p, q)| p.exp() * (p - q)).sum()
}
