"""The encoder of RSME (Wang et al., ACM MM 2021): structure mixed with an image, and the image beside it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dhns.encoders.encoder import STRUCTURE, Encoded, EntityEncoder, WhenMissing, choose_modalities
from dhns.errors import InputError
from dhns.graph.knowledge_graph import KnowledgeGraph, Modality
from dhns.ranges import BelowOne
from dhns.scorers.scorer import Scorer


class FilteredImage(EntityEncoder):
    """Joint embedding ``[(1 - alpha) s + alpha W f ; f]`` ``(U, 2 D)`` for the RSME scorer; ``[s ; 0]`` without image.

    ``f`` is the image's feature vector at unit length in its D leading principal coordinates (`principal_coordinates`),
    frozen. It is the visual view, so that the joint embedding is a function of views alone. The coordinates are part of
    checkpoints, as ``W`` means nothing without them.

    The paper's other option, an alpha per relation from the ranks that images alone reach, is left out: ``W`` and ``s``
    are learned, so alpha says how fast each learns rather than how much it counts.

    The paper's filter gate keeps, of several images of an entity, the one most like the others. Here an entity has one
    vector, pooled by whoever made the features, so there is nothing left to choose from. ``filtered`` offers a gate of
    the same kind one level up: it drops images that are unlike those of entities with the same relations.

    Args:
        graph: brings the features, and the relations for the filter.
        scorer: fixes the width and the initialisation.
        modality: the one that is used.
        when_missing: the graph lacks ``modality``: ``stop``, or ``use_available``, the graph's first one.
        image_share: alpha.
        filtered: share of the images that are dropped, those of the least `image_agreement`.

    Raises:
        InputError: ``modality`` is missing and ``when_missing`` is ``stop``, or a share is not in ``[0, 1)``.
    """

    reads_features = True
    images: Tensor
    present: Tensor

    def __init__(
        self,
        graph: KnowledgeGraph,
        scorer: Scorer,
        modality: str = "visual",
        when_missing: WhenMissing = "stop",
        image_share: BelowOne = 0.3,
        filtered: BelowOne = 0.0,
    ) -> None:
        super().__init__(graph, scorer)
        for key, share in {"image_share": image_share, "filtered": filtered}.items():
            if not 0 <= share < 1:
                raise InputError(f"encoder.{key} is {share}; expected at least 0 and less than 1")
        (name, *_), self.missing = choose_modalities(graph, [modality], when_missing)
        self.image_share = image_share
        self.view_names = (STRUCTURE, name)
        self.projection = nn.Linear(self.width, self.width, bias=False)
        images, present = principal_coordinates(graph.modalities[name], self.width), graph.modalities[name].present
        if filtered:
            agreement = image_agreement(graph, images, present)
            present = present & ~(agreement < agreement.nanquantile(filtered))
            images = images * present[:, None]
        self.register_buffer("images", images)
        self.register_buffer("present", present.clone())

    def forward(self, entity: Tensor | None = None, relations: Tensor | None = None) -> Encoded:
        image, present = self.images, self.present
        structure, _ = self.structural_view(entity)
        if entity is not None:
            image, present = F.embedding(entity, image), present[entity]
        views = dict(zip(self.view_names, (structure, image), strict=True))
        masks = dict(zip(self.view_names, (torch.ones_like(present), present), strict=True))
        return Encoded(self.fuse(views, masks), views, masks)

    def fuse(self, views: dict[str, Tensor], present: dict[str, Tensor]) -> Tensor:
        structure, image = (views[name] for name in self.view_names)
        mask = present[self.view_names[1]][..., None]
        image = image.masked_fill(~mask, 0)
        embedding = torch.addcmul(self.image_share * self.projection(image), structure, 1 - self.image_share * mask)
        return torch.cat([embedding, image], dim=-1)


def principal_coordinates(modality: Modality, width: int) -> Tensor:
    """``(E, width)`` coordinates of unit-length features whose inner products are nearest to the features' cosines.

    Those are exact where the features' rank is at most ``width``, and else the best approximation of that rank (Eckart
    and Young). Rows of absent entities are zero.
    """
    unit = F.normalize(modality.features[modality.present].float())
    # a randomised decomposition: a full one of thousands of features takes minutes
    left, values, _ = torch.svd_lowrank(unit, q=min(width, *unit.shape), niter=4)
    coordinates = unit.new_zeros(len(modality.features), width)
    coordinates[modality.present, : len(values)] = left * values
    return coordinates


def image_agreement(graph: KnowledgeGraph, images: Tensor, present: Tensor) -> Tensor:
    """``(E,)`` how like an entity's image is to those of entities in its places; nan where there are none.

    A place is a side of a relation, such as "has a capital". The likeness is the mean cosine to the other images in a
    place, averaged over the places that the entity takes in the training triples.

    One ``(E, 2 R)`` table of likenesses is held while this runs.

    Args:
        graph: has E entities and R relations.
        images: ``(E, D)`` coordinates, zero where there is no image.
        present: ``(E,)`` bool.
    """
    places = 2 * graph.num_relations
    head, relation, tail = graph.train.unbind(1)
    key = torch.cat([head, tail]) * places + torch.cat([relation, relation + graph.num_relations])
    key = torch.unique(key[present[key // places]])
    entity, place = key // places, key % places
    member = torch.sparse_coo_tensor(
        torch.stack([place, entity]), images.new_ones(len(key)), (places, len(images)), check_invariants=True
    )
    others = torch.bincount(place, minlength=places)[place] - 1
    likeness = (images @ (member @ images).T)[entity, place] - images.square().sum(1)[entity]
    shared = others > 0
    entity, likeness = entity[shared], likeness[shared] / others[shared]
    total = images.new_zeros(len(images)).index_add_(0, entity, likeness)
    return total / torch.bincount(entity, minlength=len(images))
