// Hands WGSL to Tint: node tint.mjs <webgpu/index.js> <jobs.json> <verdicts.json>
//
// jobs [{name, code, entry, constants, buffers}] -> shader module and pipeline on Dawn's null
// backend -> verdicts [[name, messages]]; no message means accepted.

import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [webgpu, jobsPath, verdictsPath] = process.argv.slice(2);
const { create, globals } = await import(pathToFileURL(webgpu));
Object.assign(globalThis, globals);
const gpu = create(["backend=null"]);
const adapter = await gpu.requestAdapter();
if (!adapter) throw new Error("Dawn has no null adapter");
// Default limits: what every WebGPU device grants.
const device = await adapter.requestDevice({ requiredFeatures: ["subgroups"] });

async function judge({ code, entry, constants, buffers }) {
    device.pushErrorScope("validation");
    const module = device.createShaderModule({ code });
    const info = await module.getCompilationInfo();
    const entries = buffers.map((type, binding) => ({
        binding,
        visibility: GPUShaderStage.COMPUTE,
        buffer: { type },
    }));
    const group = device.createBindGroupLayout({ entries });
    const layout = device.createPipelineLayout({ bindGroupLayouts: [group] });
    device.createComputePipeline({ layout, compute: { module, entryPoint: entry, constants } });
    const error = await device.popErrorScope();
    const messages = info.messages.map((m) => `${m.type} in line ${m.lineNum}: ${m.message}`);
    return error ? [...messages, error.message] : messages;
}

const verdicts = [];
for (const job of JSON.parse(readFileSync(jobsPath))) {
    verdicts.push([job.name, await judge(job)]);
}
writeFileSync(verdictsPath, JSON.stringify(verdicts));
// Dawn keeps threads that would keep node alive.
process.exit(0);
