/// An open regular file, and what was asked of it while it was opened.
struct OpenFile<Asked> {
    let handle: SFTPHandle
    let attributes: SFTPAttributes
    var asked: Asked

    /// Bytes in the file: as FSTAT told, or as many as were seen if that is more.
    func size(seen: UInt64) -> UInt64 { max(attributes.size ?? 0, seen) }
}
