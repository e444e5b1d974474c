/// Words for a POSIX shell.
public enum ShellWord {
    /// The word as it is where that is safe, else in single quotes.
    public static func quoted(_ word: String) -> String {
        let plain = word.utf8.allSatisfy {
            switch $0 {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            case UInt8(ascii: "/"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "@"),
                UInt8(ascii: ":"), UInt8(ascii: "+"), UInt8(ascii: ","), UInt8(ascii: "%"):
                true
            default: false
            }
        }
        guard !plain || word.isEmpty else { return word }
        // By scalars: a quote with a combining mark behind it is one Character, and still a quote.
        var quoted = "'"
        for scalar in word.unicodeScalars {
            quoted.unicodeScalars.append(
                contentsOf: scalar == "'" ? "'\\''".unicodeScalars : String(scalar).unicodeScalars)
        }
        return quoted + "'"
    }
}
