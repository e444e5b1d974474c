/// An answer of the shell, or a part of one.
struct ShellAnswer {
    /// The number of its call.
    let number: Int
    /// nil if more parts of the same call follow.
    let status: SFTPStatus?
    /// The result; if the call failed, what the system said.
    let payload: ArraySlice<UInt8>

    /// What the system said, as one line for a person.
    var text: String {
        String(decoding: payload.prefix(500), as: UTF8.self).split(whereSeparator: \.isNewline).joined(separator: "; ")
    }
}
