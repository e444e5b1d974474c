/// Gives the bytes of a write that begin at `offset`: at most `most` of them, none at the end. For the same offset it
/// always gives the same bytes.
public typealias ByteSource = @Sendable (_ offset: UInt64, _ most: Int) async throws(SFTPError) -> ArraySlice<UInt8>
