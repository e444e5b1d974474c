internal import Glibc
internal import IPC

/// Writes JSON lines to standard error: `time` (RFC 3339, UTC), `level`, `msg`, then the fields.
enum Log {
    static func write(_ level: LogLevel, _ message: String, _ fields: KeyValuePairs<String, LogValue> = [:]) {
        LogSink.write(line(level, message, fields))
    }

    /// A line, with its newline.
    static func line(_ level: LogLevel, _ message: String, _ fields: KeyValuePairs<String, LogValue> = [:]) -> String {
        var line = "{\"time\":\"\(timestamp())\",\"level\":\"\(level.rawValue)\",\"msg\":\(quoted(message))"
        for (name, value) in fields { line += ",\(quoted(name)):\(value.json)" }
        return line + "}\n"
    }

    /// The same with fields that are JSON already, such as `"name":value,…`.
    static func line(_ level: LogLevel, _ message: String, members: String) -> String {
        "{\"time\":\"\(timestamp())\",\"level\":\"\(level.rawValue)\",\"msg\":\(quoted(message)),\(members)}\n"
    }

    /// A JSON string. Characters that could move a terminal's cursor or change the order of shown text are escaped, because logs
    /// are read on terminals and some of their text is hostile. Plain text is copied in long pieces.
    static func quoted(_ text: String) -> String {
        var text = text
        var json: [UInt8] = [UInt8(ascii: "\"")]
        text.withUTF8 { bytes in
            json.reserveCapacity(bytes.count + bytes.count / 8 + 2)
            var copied = 0
            var position = 0
            while position < bytes.count {
                let byte = bytes[position]
                if byte >= 0x20, byte < 0x7F, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") {
                    position += 1
                    continue
                }
                let (length, escape) = escape(bytes, at: position)
                if let escape {
                    json.append(contentsOf: UnsafeBufferPointer(rebasing: bytes[copied..<position]))
                    json.append(contentsOf: escape.utf8)
                    copied = position + length
                }
                position += length
            }
            json.append(contentsOf: UnsafeBufferPointer(rebasing: bytes[copied...]))
        }
        json.append(UInt8(ascii: "\""))
        return String(decoding: json, as: UTF8.self)
    }

    /// How many bytes the scalar at a place of valid UTF-8 has, and its escape; nil if it needs none.
    private static func escape(_ bytes: UnsafeBufferPointer<UInt8>, at position: Int) -> (length: Int, escape: String?)
    {
        let first = UInt32(bytes[position])
        switch UInt8(first) {
        case UInt8(ascii: "\""): return (1, "\\\"")
        case UInt8(ascii: "\\"): return (1, "\\\\")
        case UInt8(ascii: "\n"): return (1, "\\n")
        case UInt8(ascii: "\t"): return (1, "\\t")
        default: break
        }
        let length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
        var value = length == 1 ? first : first & (0xFF >> UInt32(length + 1))
        for offset in 1..<max(1, length) { value = value << 6 | UInt32(bytes[position + offset] & 0x3F) }
        guard let scalar = Unicode.Scalar(value) else { return (length, nil) }
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator:
            return (
                length,
                String(scalar).utf16.map { "\\u" + Hexadecimal.text([UInt8($0 >> 8), UInt8($0 & 0xFF)]) }.joined()
            )
        default: return (length, nil)
        }
    }

    /// Now, RFC 3339 in UTC with milliseconds.
    static func timestamp() -> String {
        var clock = timespec()
        clock_gettime(CLOCK_REALTIME, &clock)
        var parts = tm()
        gmtime_r(&clock.tv_sec, &parts)
        func padded(_ number: Int, _ width: Int) -> String {
            let digits = String(number)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        let date =
            "\(padded(Int(parts.tm_year) + 1900, 4))-\(padded(Int(parts.tm_mon) + 1, 2))-\(padded(Int(parts.tm_mday), 2))"
        let time = "\(padded(Int(parts.tm_hour), 2)):\(padded(Int(parts.tm_min), 2)):\(padded(Int(parts.tm_sec), 2))"
        return "\(date)T\(time).\(padded(clock.tv_nsec / 1_000_000, 3))Z"
    }
}
