/// A packet that is not what the draft says.
struct Malformed: Error, Equatable {
    let detail: String

    init(_ detail: String) {
        self.detail = detail
    }

    /// Text that somebody prints where packets should be: the beginning of it, as one line.
    static func text(_ bytes: some Collection<UInt8>) -> Malformed {
        Malformed("text in the place of packets: \"\(plain(bytes))\"")
    }

    /// At most 200 characters of a text, as one line without control characters.
    static func plain(_ bytes: some Collection<UInt8>) -> String {
        var line = ""
        for scalar in String(decoding: bytes.prefix(600), as: UTF8.self).unicodeScalars {
            guard line.unicodeScalars.count < 200 else { break }
            let isBreak = scalar == "\n" || scalar == "\r" || scalar == "\t"
            if isBreak, line.hasSuffix(" ") || line.isEmpty { continue }
            if isBreak {
                line += " "
            } else if scalar.value >= 0x20, scalar.value != 0x7F {
                line.unicodeScalars.append(scalar)
            }
        }
        return line.hasSuffix(" ") ? String(line.dropLast()) : line
    }
}
