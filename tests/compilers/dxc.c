// Hands HLSL to DXC, under Windows or wine: dxc.exe DLL LIST
//
// LIST has a line "file entry profile" for each shader of the current folder; LIST.verdicts gets
// "accepted file" or "refused file", and file.log the compiler's message. The arguments are those
// of wgpu 30 in a release build. mingw has no header of DXC: the parts of its interfaces that are
// called are declared here.

#include <stdio.h>
#include <stdlib.h>
#include <windows.h>

typedef struct { const void *data; size_t size; UINT encoding; } Source;

typedef struct Blob Blob;
struct Blob {
    struct {
        void *query, *add_ref;
        ULONG(WINAPI *release)(Blob *);
        const void *(WINAPI *data)(Blob *);
        size_t(WINAPI *size)(Blob *);
    } *calls;
};

typedef struct Result Result;
struct Result {
    struct {
        void *query, *add_ref;
        ULONG(WINAPI *release)(Result *);
        HRESULT(WINAPI *status)(Result *, HRESULT *);
        HRESULT(WINAPI *object)(Result *, Blob **);
        HRESULT(WINAPI *errors)(Result *, Blob **);
    } *calls;
};

typedef struct Compiler Compiler;
struct Compiler {
    struct {
        void *query, *add_ref;
        ULONG(WINAPI *release)(Compiler *);
        HRESULT(WINAPI *compile)
        (Compiler *, const Source *, const wchar_t **, UINT, void *, const GUID *, void **);
    } *calls;
};

typedef HRESULT(WINAPI *Create)(const GUID *, const GUID *, void **);

static const GUID COMPILER_CLASS = {
    0x73e22d93, 0xe6ce, 0x47f3, {0xb5, 0xbf, 0xf0, 0x66, 0x4f, 0x39, 0xc1, 0xb0}};
static const GUID COMPILER3 = {
    0x228b4687, 0x5a6a, 0x4730, {0x90, 0x0c, 0x97, 0x02, 0xb2, 0x20, 0x3f, 0x54}};
static const GUID RESULT = {
    0x58346cda, 0xdde7, 0x4497, {0x94, 0x61, 0x6f, 0x87, 0xaf, 0x5e, 0x06, 0x59}};
static const UINT UTF8 = 65001;

static void fail(const char *what, const char *detail) {
    fprintf(stderr, "%s: %s\n", what, detail);
    exit(1);
}

static FILE *must_open(const char *path, const char *mode) {
    FILE *file = fopen(path, mode);
    if (!file) fail("cannot open", path);
    return file;
}

// The whole file; it lives until the process ends.
static Source read_file(const char *path) {
    FILE *file = must_open(path, "rb");
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    char *text = malloc(size);
    rewind(file);
    if (fread(text, 1, size, file) != (size_t)size) fail("cannot read", path);
    fclose(file);
    return (Source){text, size, UTF8};
}

// Writes what the compiler said to path.log.
static void log_errors(const char *path, Result *result) {
    char name[600];
    Blob *errors = NULL;
    snprintf(name, sizeof name, "%s.log", path);
    FILE *log = must_open(name, "wb");
    if (SUCCEEDED(result->calls->errors(result, &errors)) && errors) {
        fwrite(errors->calls->data(errors), 1, errors->calls->size(errors), log);
        errors->calls->release(errors);
    }
    fclose(log);
}

// Accepted means: a success, and an object that is not empty.
static int compile(Compiler *compiler, const char *path, const char *entry, const char *profile) {
    wchar_t wide_entry[256], wide_profile[16];
    mbstowcs(wide_entry, entry, 256);
    mbstowcs(wide_profile, profile, 16);
    const wchar_t *arguments[] = {
        L"-E", wide_entry, L"-T", wide_profile, L"-HV", L"2018", L"-no-warnings", L"-Ges"};
    Source source = read_file(path);
    Result *result = NULL;
    HRESULT status = E_FAIL;
    Blob *object = NULL;
    if (FAILED(compiler->calls->compile(
            compiler, &source, arguments, 8, NULL, &RESULT, (void **)&result)))
        fail("IDxcCompiler3::Compile fails on", path);
    log_errors(path, result);
    result->calls->status(result, &status);
    if (SUCCEEDED(status)) result->calls->object(result, &object);
    int accepted = object && object->calls->size(object) > 0;
    if (object) object->calls->release(object);
    result->calls->release(result);
    return accepted;
}

int main(int count, char **words) {
    if (count != 3) fail("usage", "dxc.exe DLL LIST");
    HMODULE library = LoadLibraryA(words[1]);
    if (!library) fail("cannot load", words[1]);
    Create create = (Create)(void *)GetProcAddress(library, "DxcCreateInstance");
    Compiler *compiler = NULL;
    if (!create || FAILED(create(&COMPILER_CLASS, &COMPILER3, (void **)&compiler)))
        fail("no IDxcCompiler3 in", words[1]);
    char path[512], entry[256], profile[16], verdicts_path[600];
    snprintf(verdicts_path, sizeof verdicts_path, "%s.verdicts", words[2]);
    FILE *list = must_open(words[2], "rb");
    FILE *verdicts = must_open(verdicts_path, "wb");
    while (fscanf(list, "%511s %255s %15s", path, entry, profile) == 3) {
        int accepted = compile(compiler, path, entry, profile);
        fprintf(verdicts, "%s %s\n", accepted ? "accepted" : "refused", path);
        fflush(verdicts);
    }
    fclose(verdicts);
    return 0;
}
