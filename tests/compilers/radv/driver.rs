//! RADV's null device: Mesa's driver for AMD with its whole compiler and no GPU behind it.
//!
//! SPIR-V -> a compute pipeline -> what the driver's statistics say of it. wgpu cannot open this
//! device; it is opened here with the features that wgpu's own device would have, because they
//! change the code. The process ends with its one family, so nothing is destroyed.

use super::table::{COLUMNS, Row};
use crate::translate::Buffer;
use ash::{Entry, khr, vk};
use std::collections::BTreeMap;
use std::ffi::CStr;

pub struct Driver {
    // Holds the loader's library, which every handle below needs.
    _entry: Entry,
    device: ash::Device,
    executables: khr::pipeline_executable_properties::Device,
    /// Such as "Mesa 22.3.6".
    pub version: String,
    /// The device's name, which has the family in it.
    pub name: String,
}

impl Driver {
    /// The device of the family that RADV_FORCE_FAMILY names.
    pub fn open() -> Driver {
        // SAFETY: the loader is the system's, and each call gets what the calls before it made.
        unsafe {
            let entry = Entry::load().expect("a Vulkan loader: run .ci/compilers");
            let application = vk::ApplicationInfo::default().api_version(vk::API_VERSION_1_3);
            let info = vk::InstanceCreateInfo::default().application_info(&application);
            let instance = entry.create_instance(&info, None).expect("an instance");
            let devices = instance.enumerate_physical_devices().expect("devices");
            let &[physical] = devices.as_slice() else {
                panic!("{} devices; RADV's null device is one", devices.len())
            };
            let mut driver = vk::PhysicalDeviceDriverProperties::default();
            let mut properties = vk::PhysicalDeviceProperties2::default().push_next(&mut driver);
            instance.get_physical_device_properties2(physical, &mut properties);
            let name = text(properties.properties.device_name_as_c_str());
            assert_eq!(driver.driver_id, vk::DriverId::MESA_RADV, "{name}");
            let version = text(driver.driver_info_as_c_str());
            let device = create_device(&instance, physical);
            let executables = khr::pipeline_executable_properties::Device::new(&instance, &device);
            Driver {
                _entry: entry,
                device,
                executables,
                version,
                name,
            }
        }
    }

    /// Compiles one entry point and reads the statistics of its code.
    pub fn compile(&self, words: &[u32], entry: &CStr, buffers: &[Buffer]) -> Row {
        // SAFETY: the SPIR-V comes from naga, its bindings are those of the layout, and all
        // handles are this device's.
        unsafe {
            let info = vk::ShaderModuleCreateInfo::default().code(words);
            let module = self.device.create_shader_module(&info, None);
            let stage = vk::PipelineShaderStageCreateInfo::default()
                .stage(vk::ShaderStageFlags::COMPUTE)
                .module(module.expect("a shader module"))
                .name(entry);
            let info = vk::ComputePipelineCreateInfo::default()
                .flags(vk::PipelineCreateFlags::CAPTURE_STATISTICS_KHR)
                .stage(stage)
                .layout(self.layout(buffers));
            let pipelines =
                self.device
                    .create_compute_pipelines(vk::PipelineCache::null(), &[info], None);
            self.statistics(pipelines.expect("a pipeline")[0])
        }
    }

    unsafe fn layout(&self, buffers: &[Buffer]) -> vk::PipelineLayout {
        let bindings: Vec<_> = buffers
            .iter()
            .zip(0..)
            .map(|(&buffer, binding)| {
                vk::DescriptorSetLayoutBinding::default()
                    .binding(binding)
                    .descriptor_count(1)
                    .stage_flags(vk::ShaderStageFlags::COMPUTE)
                    .descriptor_type(match buffer {
                        Buffer::Uniform => vk::DescriptorType::UNIFORM_BUFFER,
                        Buffer::ReadOnly | Buffer::ReadWrite => vk::DescriptorType::STORAGE_BUFFER,
                    })
            })
            .collect();
        let info = vk::DescriptorSetLayoutCreateInfo::default().bindings(&bindings);
        // SAFETY: the device is alive and the descriptions are whole.
        unsafe {
            let sets = [self
                .device
                .create_descriptor_set_layout(&info, None)
                .expect("a set layout")];
            let info = vk::PipelineLayoutCreateInfo::default().set_layouts(&sets);
            self.device
                .create_pipeline_layout(&info, None)
                .expect("a pipeline layout")
        }
    }

    unsafe fn statistics(&self, pipeline: vk::Pipeline) -> Row {
        let info = vk::PipelineInfoKHR::default().pipeline(pipeline);
        // SAFETY: the pipeline was made with its statistics captured.
        let (executables, statistics) = unsafe {
            (
                self.executables.get_pipeline_executable_properties(&info),
                self.executables.get_pipeline_executable_statistics(
                    &vk::PipelineExecutableInfoKHR::default().pipeline(pipeline),
                ),
            )
        };
        let executables = executables.expect("executables");
        assert_eq!(executables.len(), 1, "a compute pipeline is one executable");
        let mut values: BTreeMap<String, u64> = statistics
            .expect("statistics")
            .iter()
            .filter(|s| s.format == vk::PipelineExecutableStatisticFormatKHR::UINT64)
            // SAFETY: the format says which member of the union it is.
            .map(|s| (text(s.name_as_c_str()), unsafe { s.value.u64 }))
            .collect();
        values.insert("Wave size".into(), executables[0].subgroup_size.into());
        Row(COLUMNS.map(|(_, name)| {
            *values
                .get(name)
                .unwrap_or_else(|| panic!("no statistic {name:?} among {values:?}"))
        }))
    }
}

/// With robust access to buffers, as wgpu opens every device that has it.
unsafe fn create_device(instance: &ash::Instance, physical: vk::PhysicalDevice) -> ash::Device {
    let extensions = [
        khr::pipeline_executable_properties::NAME.as_ptr(),
        ash::ext::robustness2::NAME.as_ptr(),
    ];
    let queues = [vk::DeviceQueueCreateInfo::default()
        .queue_family_index(0)
        .queue_priorities(&[1.0])];
    let mut statistics = vk::PhysicalDevicePipelineExecutablePropertiesFeaturesKHR::default()
        .pipeline_executable_info(true);
    let mut robust = vk::PhysicalDeviceRobustness2FeaturesEXT::default()
        .robust_buffer_access2(true)
        .robust_image_access2(true);
    let features = vk::PhysicalDeviceFeatures::default().robust_buffer_access(true);
    let info = vk::DeviceCreateInfo::default()
        .queue_create_infos(&queues)
        .enabled_extension_names(&extensions)
        .enabled_features(&features)
        .push_next(&mut statistics)
        .push_next(&mut robust);
    // SAFETY: the physical device is this instance's and has these extensions, or says so.
    unsafe { instance.create_device(physical, &info, None) }.expect("RADV's null device")
}

fn text(name: Result<&CStr, std::ffi::FromBytesUntilNulError>) -> String {
    name.expect("a name ends").to_string_lossy().into_owned()
}
