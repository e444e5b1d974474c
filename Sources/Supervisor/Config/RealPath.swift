internal import Glibc

/// A path as the kernel has it, realpath(3).
enum RealPath {
    /// Without symlinks; as it is where nothing lies there.
    static func of(_ path: String) -> String {
        guard let real = realpath(path, nil) else { return path }
        defer { free(real) }
        return String(cString: real)
    }
}
