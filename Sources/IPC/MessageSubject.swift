/// The messages of one subject in one direction.
public protocol MessageSubject: MessageChoice {
    /// How many descriptors accompany this message, exactly; at most `PassedDescriptors.maximum`.
    var descriptorCount: Int { get }
}
