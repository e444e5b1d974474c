internal import Glibc

/// Finds the dynamic loader that a program names in `PT_INTERP`, elf(5). Starting the program executes this file as well.
enum ELFInterpreter {
    /// How many bytes the path in `PT_INTERP` may have.
    private static let maximumPath = 4096

    /// The path of the loader; nil if the program is static.
    static func path(of program: String) throws(SandboxError) -> String? {
        let file = open(program, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw .failed(call: "open(\(program))", errno: errno) }
        defer { close(file) }
        // Elf64_Ehdr has 64 bytes. EI_CLASS must be ELFCLASS64 (2), and EI_DATA little-endian (1).
        guard let header = read(file, at: 0, count: 64), Array(header[0..<4]) == [0x7F, 0x45, 0x4C, 0x46],
            header[4] == 2, header[5] == 1
        else { throw .notAProgram(path: program) }
        let tableOffset = integer(header[32..<40])
        let entrySize = integer(header[54..<56])
        let entryCount = integer(header[56..<58])
        guard entrySize >= 56, entryCount <= 128 else { throw .notAProgram(path: program) }
        for index in 0..<entryCount {
            let (position, overflow) = tableOffset.addingReportingOverflow(index * entrySize)
            guard !overflow, let entry = read(file, at: position, count: 56) else { throw .notAProgram(path: program) }
            // 3 is PT_INTERP.
            guard integer(entry[0..<4]) == 3 else { continue }
            let length = integer(entry[32..<40])
            guard length > 1, length <= maximumPath, let bytes = read(file, at: integer(entry[8..<16]), count: length),
                let path = String(validating: bytes.dropLast(), as: UTF8.self)
            else { throw .notAProgram(path: program) }
            return path
        }
        return nil
    }

    private static func read(_ file: Int32, at offset: Int, count: Int) -> [UInt8]? {
        guard offset >= 0 else { return nil }
        var bytes = [UInt8](repeating: 0, count: count)
        return pread(file, &bytes, count, offset) == count ? bytes : nil
    }

    private static func integer(_ bytes: ArraySlice<UInt8>) -> Int {
        Int(truncatingIfNeeded: bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
    }
}
