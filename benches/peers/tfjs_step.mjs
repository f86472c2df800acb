// Times training steps in TensorFlow.js on its WebGPU backend, run by Deno: forward, softmax
// cross-entropy, backward, Adam(1e-3). A WebGPU validation error, which TensorFlow.js turns into
// NaN and goes on, ends the program.
//
//     node_modules/.bin/deno run --allow-all tfjs_step.mjs MODEL BATCH STEPS

import * as tf from "@tensorflow/tfjs";
import "@tensorflow/tfjs-backend-webgpu";
import webgpuPackage from "@tensorflow/tfjs-backend-webgpu/package.json" with { type: "json" };

const WARM_UP = 5;
const PARAMETERS = { "inception": 83_760_487, "inception-gap": 9_187 };
const HIDDEN = { "inception": [1200, 600, 150], "inception-gap": [150] };

const [modelName, ...numbers] = Deno.args;
const [batch, steps] = numbers.map(Number);

await tf.setBackend("webgpu");
await tf.ready();
const backend = tf.backend();
const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
backend.device.onuncapturederror = (event) => {
  console.error(event.error.message);
  Deno.exit(1);
};

const { layers } = tf;
const relu = "relu";
const padding = "same";
let seed = 0;
const random = () => tf.initializers.glorotUniform({ seed: seed++ });
const conv = (size, x) =>
  layers.conv2d({ filters: 10, kernelSize: size, padding, activation: relu, kernelInitializer: random() }).apply(x);
const dense = (units, activation, x) => layers.dense({ units, activation, kernelInitializer: random() }).apply(x);
const image = tf.input({ shape: [48, 48, 1] });
const pooled = layers.maxPooling2d({ poolSize: 3, strides: 1, padding }).apply(image);
let x = layers.concatenate().apply([conv(3, conv(1, image)), conv(5, conv(1, image)), conv(1, pooled)]);
x = (modelName === "inception" ? layers.flatten() : layers.globalAveragePooling2d({})).apply(x);
for (const units of HIDDEN[modelName]) x = dense(units, relu, x);
const model = tf.model({ inputs: image, outputs: dense(7, "linear", x) });
if (model.countParams() !== PARAMETERS[modelName]) throw new Error(`${model.countParams()} parameters`);

const images = tf.randomUniform([batch, 48, 48, 1], 0, 1, "float32", 0);
const labels = tf.oneHot(tf.tensor1d(Array.from({ length: batch }, (_, n) => n * 5 % 7), "int32"), 7);
const one = tf.slice(images, 0, 1);
const adam = tf.train.adam(1e-3);

async function step() {
  const loss = adam.minimize(() => tf.losses.softmaxCrossEntropy(labels, model.apply(images, { training: true })), true);
  const [value] = await loss.data();
  await backend.queue.onSubmittedWorkDone();
  loss.dispose();
  return value;
}

async function infer1() {
  const probabilities = tf.tidy(() => tf.softmax(model.predict(one)));
  const values = await probabilities.data();
  probabilities.dispose();
  return values;
}

/** Milliseconds of each call after the warm-up, and what each returned. */
async function timed(work) {
  const times = [], results = [];
  for (let i = 0; i < WARM_UP + steps; i++) {
    const start = performance.now();
    results.push(await work());
    times.push(performance.now() - start);
  }
  return [times.slice(WARM_UP), results.slice(WARM_UP)];
}

const [step_ms, losses] = await timed(step);
const [infer1_ms] = await timed(infer1);
console.log(JSON.stringify({
  peer: "TensorFlow.js WebGPU",
  versions: { tfjs: tf.version.tfjs, "tfjs-backend-webgpu": webgpuPackage.version, deno: Deno.version.deno },
  device: adapter.info.description || adapter.info.device,
  model: modelName,
  batch,
  step_ms,
  losses,
  infer1_ms,
}));
Deno.exit(0);
