internal import Glibc
internal import IPC

/// Cuts what a worker, a gate or a file broker writes to its standard error into lines. The text is hostile: a line is bounded
/// here, and `LogShare` bounds all lines together.
struct ProgramLog {
    private static let maximumLine = 4096

    private var pending: [UInt8] = []
    /// Whether the end has not come.
    private(set) var isOpen = true

    /// Reads once from the program's standard error, which does not block, and returns the lines. `isOpen` is false after the last
    /// one.
    mutating func read(from descriptor: borrowing OwnedFD) -> [String] {
        guard isOpen else { return [] }
        var chunk = [UInt8](repeating: 0, count: 16_384)
        let count = uninterrupted { Glibc.read(descriptor.rawValue, &chunk, chunk.count) }
        if count < 0 && errno == EAGAIN { return [] }
        if count > 0 { return append(chunk[..<count]) }
        isOpen = false
        return flush()
    }

    /// Takes bytes, and returns the lines that they complete.
    mutating func append(_ chunk: ArraySlice<UInt8>) -> [String] {
        var lines: [String] = []
        for byte in chunk {
            if byte == UInt8(ascii: "\n") || pending.count >= Self.maximumLine { lines += flush() }
            if byte != UInt8(ascii: "\n") { pending.append(byte) }
        }
        return lines
    }

    /// Returns the last line, whose end has not come.
    mutating func flush() -> [String] {
        defer { pending = [] }
        return pending.isEmpty ? [] : [String(decoding: pending, as: UTF8.self)]
    }
}
