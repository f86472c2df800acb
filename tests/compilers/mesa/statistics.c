// Compiles compute kernels on the one Vulkan device there is, and prints what its driver says of them:
// statistics LIST robust|plain [REPRESENTATION]
//
// LIST has a line "file entry buffers" for each kernel: SPIR-V, the name of its entry point, and a letter for each
// binding, u for a uniform and s for a storage buffer. Standard output gets lines of tab-separated cells: "device",
// its name, its driver, the driver's version; "kernel", file; of that kernel "statistic", name, value, and "code",
// line, of the driver's internal representation of that name; or "refused", the result. The device is opened with the
// features that wgpu's own would have, because they change the code: robust access to buffers above all, unless it is
// to be plain, for a vendor whose cards wgpu reaches through an interface that knows no such thing.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vulkan/vulkan.h>

#define MOST_BINDINGS 16
#define MOST_STATISTICS 64

#define CHECK(call)                                                  \
    do {                                                             \
        VkResult result_ = (call);                                   \
        if (result_ != VK_SUCCESS) {                                 \
            fprintf(stderr, "%s gives %d\n", #call, (int)result_);   \
            exit(1);                                                 \
        }                                                            \
    } while (0)

static VkDevice device;
static PFN_vkGetPipelineExecutablePropertiesKHR get_executables;
static PFN_vkGetPipelineExecutableStatisticsKHR get_statistics;
static PFN_vkGetPipelineExecutableInternalRepresentationsKHR get_representations;

static void *function(const char *name) {
    void *found = (void *)vkGetDeviceProcAddr(device, name);
    if (!found) {
        fprintf(stderr, "the device has no %s\n", name);
        exit(1);
    }
    return found;
}

static int has_extension(VkPhysicalDevice physical, const char *name) {
    static VkExtensionProperties all[1024];
    uint32_t count = 1024;
    CHECK(vkEnumerateDeviceExtensionProperties(physical, 0, &count, all));
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(all[i].extensionName, name) == 0) return 1;
    return 0;
}

static VkPhysicalDevice the_device(void) {
    VkApplicationInfo application = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO, .apiVersion = VK_API_VERSION_1_3};
    VkInstanceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO, .pApplicationInfo = &application};
    VkInstance instance;
    CHECK(vkCreateInstance(&info, 0, &instance));
    VkPhysicalDevice physical[2];
    uint32_t count = 2;
    CHECK(vkEnumeratePhysicalDevices(instance, &count, physical));
    if (count != 1) {
        fprintf(stderr, "%u devices, not one\n", count);
        exit(1);
    }
    VkPhysicalDeviceDriverProperties driver = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES};
    VkPhysicalDeviceProperties2 properties = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &driver};
    vkGetPhysicalDeviceProperties2(physical[0], &properties);
    printf("device\t%s\t%s\t%s\n", properties.properties.deviceName, driver.driverName, driver.driverInfo);
    return physical[0];
}

static void open_device(VkPhysicalDevice physical, int robust_access) {
    VkPhysicalDeviceRobustness2FeaturesEXT robust = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ROBUSTNESS_2_FEATURES_EXT};
    VkPhysicalDeviceVulkanMemoryModelFeatures model = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_MEMORY_MODEL_FEATURES};
    VkPhysicalDevicePipelineExecutablePropertiesFeaturesKHR executables = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_EXECUTABLE_PROPERTIES_FEATURES_KHR, .pNext = &model};
    VkPhysicalDeviceFeatures2 features = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, .pNext = &executables};
    const char *extensions[2] = {VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME};
    uint32_t extension_count = 1;
    if (robust_access && has_extension(physical, VK_EXT_ROBUSTNESS_2_EXTENSION_NAME)) {
        extensions[extension_count++] = VK_EXT_ROBUSTNESS_2_EXTENSION_NAME;
        model.pNext = &robust;
    }
    vkGetPhysicalDeviceFeatures2(physical, &features);
    VkBool32 core = robust_access && features.features.robustBufferAccess;
    memset(&features.features, 0, sizeof features.features);
    features.features.robustBufferAccess = core;
    robust.nullDescriptor = VK_FALSE;
    model.vulkanMemoryModelAvailabilityVisibilityChains = VK_FALSE;
    float priority = 1;
    VkDeviceQueueCreateInfo queue = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO, .queueCount = 1, .pQueuePriorities = &priority};
    VkDeviceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
        .pNext = &features,
        .queueCreateInfoCount = 1,
        .pQueueCreateInfos = &queue,
        .enabledExtensionCount = extension_count,
        .ppEnabledExtensionNames = extensions,
    };
    CHECK(vkCreateDevice(physical, &info, 0, &device));
    get_executables = function("vkGetPipelineExecutablePropertiesKHR");
    get_statistics = function("vkGetPipelineExecutableStatisticsKHR");
    get_representations = function("vkGetPipelineExecutableInternalRepresentationsKHR");
}

static VkPipelineLayout layout(const char *buffers) {
    VkDescriptorSetLayoutBinding bindings[MOST_BINDINGS] = {0};
    uint32_t count = (uint32_t)strlen(buffers);
    if (count > MOST_BINDINGS) {
        fprintf(stderr, "%s: too many bindings\n", buffers);
        exit(1);
    }
    for (uint32_t i = 0; i < count; i++) {
        int uniform = buffers[i] == 'u';
        bindings[i].binding = i;
        bindings[i].descriptorType = uniform ? VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER : VK_DESCRIPTOR_TYPE_STORAGE_BUFFER;
        bindings[i].descriptorCount = 1;
        bindings[i].stageFlags = VK_SHADER_STAGE_COMPUTE_BIT;
    }
    VkDescriptorSetLayoutCreateInfo set_info = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO, .bindingCount = count, .pBindings = bindings};
    VkDescriptorSetLayout set;
    CHECK(vkCreateDescriptorSetLayout(device, &set_info, 0, &set));
    VkPipelineLayoutCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO, .setLayoutCount = 1, .pSetLayouts = &set};
    VkPipelineLayout made;
    CHECK(vkCreatePipelineLayout(device, &info, 0, &made));
    return made;
}

static VkShaderModule module_of(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        exit(1);
    }
    fseek(file, 0, SEEK_END);
    size_t bytes = (size_t)ftell(file);
    rewind(file);
    uint32_t *words = malloc(bytes);
    if (!words || fread(words, 1, bytes, file) != bytes) {
        perror(path);
        exit(1);
    }
    fclose(file);
    VkShaderModuleCreateInfo info = {.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO, .codeSize = bytes, .pCode = words};
    VkShaderModule module;
    CHECK(vkCreateShaderModule(device, &info, 0, &module));
    free(words);
    return module;
}

static void print_statistics(VkPipeline pipeline) {
    VkPipelineExecutableInfoKHR info = {.sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR, .pipeline = pipeline};
    VkPipelineExecutableStatisticKHR all[MOST_STATISTICS];
    uint32_t count = MOST_STATISTICS;
    for (uint32_t i = 0; i < count; i++)
        all[i] = (VkPipelineExecutableStatisticKHR){.sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_STATISTIC_KHR};
    CHECK(get_statistics(device, &info, &count, all));
    for (uint32_t i = 0; i < count; i++) {
        printf("statistic\t%s\t", all[i].name);
        switch (all[i].format) {
        case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_FLOAT64_KHR: printf("%.4f\n", all[i].value.f64); break;
        case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_BOOL32_KHR: printf("%u\n", all[i].value.b32); break;
        default: printf("%llu\n", (unsigned long long)all[i].value.u64);
        }
    }
}

static void print_code(VkPipeline pipeline, const char *name) {
    VkPipelineExecutableInfoKHR info = {.sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR, .pipeline = pipeline};
    VkPipelineExecutableInternalRepresentationKHR all[8];
    uint32_t count = 8;
    for (uint32_t i = 0; i < count; i++)
        all[i] = (VkPipelineExecutableInternalRepresentationKHR){
            .sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INTERNAL_REPRESENTATION_KHR};
    // First how long they are, then what they say.
    CHECK(get_representations(device, &info, &count, all));
    for (uint32_t i = 0; i < count; i++) all[i].pData = malloc(all[i].dataSize);
    CHECK(get_representations(device, &info, &count, all));
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(all[i].name, name) == 0 && all[i].isText)
            for (char *line = strtok(all[i].pData, "\n"); line; line = strtok(0, "\n")) printf("code\t%s\n", line);
        free(all[i].pData);
    }
}

static void compile(const char *file, const char *entry, const char *buffers, const char *representation) {
    VkPipelineCreateFlags flags = VK_PIPELINE_CREATE_CAPTURE_STATISTICS_BIT_KHR;
    if (representation) flags |= VK_PIPELINE_CREATE_CAPTURE_INTERNAL_REPRESENTATIONS_BIT_KHR;
    VkComputePipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .flags = flags,
        .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO, .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                  .module = module_of(file), .pName = entry},
        .layout = layout(buffers),
    };
    printf("kernel\t%s\n", file);
    fflush(stdout); // A driver may end this process over the kernel.
    VkPipeline pipeline;
    VkResult result = vkCreateComputePipelines(device, 0, 1, &info, 0, &pipeline);
    if (result != VK_SUCCESS) {
        printf("refused\t%d\n", (int)result);
    } else {
        VkPipelineInfoKHR of = {.sType = VK_STRUCTURE_TYPE_PIPELINE_INFO_KHR, .pipeline = pipeline};
        uint32_t executables = 0;
        CHECK(get_executables(device, &of, &executables, 0));
        if (executables != 1) {
            fprintf(stderr, "%s: %u executables, not one\n", file, executables);
            exit(1);
        }
        print_statistics(pipeline);
        if (representation) print_code(pipeline, representation);
        vkDestroyPipeline(device, pipeline, 0);
    }
    fflush(stdout);
}

int main(int count, char **arguments) {
    FILE *list = count == 3 || count == 4 ? fopen(arguments[1], "r") : 0;
    if (!list) {
        fprintf(stderr, "statistics LIST robust|plain [REPRESENTATION]\n");
        return 1;
    }
    open_device(the_device(), strcmp(arguments[2], "robust") == 0);
    char file[1024], entry[256], buffers[32];
    while (fscanf(list, "%1023s %255s %31s", file, entry, buffers) == 3)
        compile(file, entry, buffers, count == 4 ? arguments[3] : 0);
    return 0;
}
